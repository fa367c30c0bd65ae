"""Does: one thin layer of effects round the pure planner, tested by killing it."""
