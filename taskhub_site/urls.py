"""Which URL leads where."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from hub.gateway.scrape import metrics

admin.site.site_header = "TaskHub"
admin.site.site_title = "TaskHub"
admin.site.index_title = "Administration"
admin.site.site_url = "/"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/", include("hub.api.urls")),
    path("metrics", metrics),
]
