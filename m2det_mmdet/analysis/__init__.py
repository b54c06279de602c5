"""What a detector costs: seconds, operations, parameters; and on which machine."""
