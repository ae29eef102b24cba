"""The stack profile: which platform is judged, how it is reached, what is declared about it."""
