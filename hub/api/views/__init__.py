"""The endpoints. Each reads by selectors and writes by ``hub.services``; none knows a rule."""
