"""What a model IS once made: the ground floor; imports nothing of ours."""
