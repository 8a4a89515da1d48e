"""Fresh vectors: random packages and prompts, or those of the user, that no runtime has seen before."""
