"""How MXNet says what several rules need."""
