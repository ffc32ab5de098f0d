"""What every REST view shares: sign-in, roles, strict bodies, pages, limits, headers, and how they are documented."""
