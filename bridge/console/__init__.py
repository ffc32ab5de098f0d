"""The kit of the operations console: what every app's admin pages share. It imports no app."""
