"""The pages of the dashboard, one class each (see ``hub.dashboard.page.Page``)."""
