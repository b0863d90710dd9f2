"""Which URL leads where."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from hub.gateway.scrape import metrics

admin.site.site_header = "TaskHub"
admin.site.site_title = "TaskHub"
admin.site.index_title = "Administration"
# Its few pages are a click away; their tables need the width.
admin.site.enable_nav_sidebar = False

urlpatterns = [
    path("", include("hub.dashboard.urls")),
    path("accounts/login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("api/", include("hub.api.urls")),
    path("metrics", metrics),
]
