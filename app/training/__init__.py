"""How our own nets are trained: synthesised speech made worse, and the fit. Nothing imports it."""
