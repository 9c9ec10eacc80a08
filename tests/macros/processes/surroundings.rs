//! Processes in surroundings that break careless output.
