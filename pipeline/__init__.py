"""What a course is and how it gets written. Nothing in here speaks HTTP to learners."""
