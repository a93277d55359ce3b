"""Continuation: curve problems, the tracer, starts and normal forms."""
