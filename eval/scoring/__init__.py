"""What is judged (a subject): its scores of every row, kept on disk, and the characters it marks."""
