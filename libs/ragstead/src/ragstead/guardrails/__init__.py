"""What is watched while the platform answers: personal data, injected instructions, sentences without grounds."""
