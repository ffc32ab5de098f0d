"""What people set and Bridge watches so that not everything goes on: parameters, stops, exposure, circuits."""
