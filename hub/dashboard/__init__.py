"""The pages of operators: server-rendered, and kept up to date over a WebSocket of their own."""
