"""Which URL leads where."""

from django.contrib import admin
from django.urls import path

admin.site.site_header = "TaskHub"
admin.site.site_title = "TaskHub"
admin.site.index_title = "Administration"

urlpatterns = [
    path("admin/", admin.site.urls),
]
