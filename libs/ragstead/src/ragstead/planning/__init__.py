"""What an agent decides, without what it decides upon: parts of a question, what a model's plan says, when to stop."""
