"""What a finished wheel is: checked, explained, measured, drawn."""
