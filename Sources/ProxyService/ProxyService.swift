// Purpose of this target: see docs/architecture.md.
