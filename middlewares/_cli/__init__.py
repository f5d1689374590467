"""The parts of the command `middlewares`: its front is `middlewares.cli`. Private: only the demo uses one of them."""
