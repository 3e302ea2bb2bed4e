"""Other frameworks computing the same second-order meta-gradient on the same tensors. See serve.py."""
