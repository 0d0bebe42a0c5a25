"""What a question and a document go through: compositions of ports, nothing else."""
