"""The parts of the command `middlewares`: its front is `middlewares.cli`. Private, and nothing else imports it."""
