"""Write handles for each system. For proof, drills and violations only."""
