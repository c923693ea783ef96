"""Changes to a whole Program, each a function from Program to Program."""
