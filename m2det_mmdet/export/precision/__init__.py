"""float16 and int8: of the network alone, not of decoding and suppression."""
