"""What is known of the zoo's agents: listed, shown, and checked as one is added."""
