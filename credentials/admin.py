"""Clients, keys and permissions in the Django admin. Every write goes through services.

A secret is shown on one page, in the answer to the POST that made it, and is never stored,
logged, put into a URL or kept in a session.
"""
# Django calls these hooks with arguments we do not all need, and with `change` by position:
# ruff: noqa: ARG002, FBT001

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from credentials import selectors, services
from credentials.models import Client, Key, Permission

PATTERNS_IN_LIST = 3

if TYPE_CHECKING:  # generic in the stubs alone
    PermissionTable = admin.TabularInline[Permission, Client]
    KeyTable = admin.TabularInline[Key, Client]
    ClientPages = admin.ModelAdmin[Client]
    KeyPages = admin.ModelAdmin[Key]
else:
    PermissionTable = KeyTable = admin.TabularInline
    ClientPages = KeyPages = admin.ModelAdmin


class ReadOnlyRowsMixin:
    """For rows that are made by a service of their own and never by a form."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PermissionInline(PermissionTable):
    model = Permission
    extra = 1


class KeyInline(ReadOnlyRowsMixin, KeyTable):
    model = Key
    can_delete = False
    show_change_link = True
    fields = ["public_id", "kind", "label", "created_at", "expires_at"]
    fields += ["revoked_at", "last_used", "state"]
    readonly_fields = ["public_id", "kind", "created_at", "revoked_at", "last_used", "state"]

    @admin.display
    def state(self, key: Key) -> str:
        return key.state(timezone.now())


class NewKeyForm(forms.Form):
    """What may be said of a key before it is generated. All of it optional."""

    label = forms.CharField(
        max_length=100, required=False, help_text="Where this key will be used."
    )
    expires_at = forms.SplitDateTimeField(
        label="Expires",
        required=False,
        widget=AdminSplitDateTime,
        help_text="Empty: it does not expire.",
    )

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise forms.ValidationError("This time has passed: the key would never work.")
        return expires_at


@admin.register(Client)
class ClientAdmin(ClientPages):
    change_form_template = "admin/credentials/client/change_form.html"
    list_display = ["name", "enabled", "group", "live_keys", "may", "last_seen"]
    list_filter = ["enabled", "group", "permissions__kind"]
    search_fields = ["name", "notes", "permissions__pattern", "=keys__public_id"]
    readonly_fields = ["last_seen", "created_at"]
    inlines: ClassVar = [PermissionInline, KeyInline]
    actions = ["enable", "disable", "revoke_keys"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        return selectors.clients_summarised(super().get_queryset(request), timezone.now())

    @admin.display(description="live keys", ordering="live_keys")
    def live_keys(self, client: Client) -> int:
        return int(getattr(client, "live_keys", 0))

    @admin.display(description="may")
    def may(self, client: Client) -> str:
        """`sub email, weather · pub *`, cut after a few patterns of each kind."""
        kinds = selectors.patterns_by_kind(client.permissions.all())
        return " · ".join(
            f"{kind} {', '.join(patterns[:PATTERNS_IN_LIST])}"
            + (f" and {len(patterns) - PATTERNS_IN_LIST} more" * (len(patterns) > PATTERNS_IN_LIST))
            for kind, patterns in kinds.items()
            if patterns
        )

    def get_inlines(self, request: HttpRequest, obj: Client | None) -> list[Any]:
        # A new client gets its first key when it is saved; an empty table would only puzzle.
        return [PermissionInline] if obj is None else [PermissionInline, KeyInline]

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:
        save = services.client_save if change else services.client_add
        save(client=obj)

    def save_formset(
        self,
        request: HttpRequest,
        form: Any,
        formset: Any,
        change: bool,
    ) -> None:
        changed = formset.save(commit=False)
        for row in formset.deleted_objects:
            services.permission_delete(permission=row)
        for row in changed:
            if isinstance(row, Key):
                services.key_save(key=row)
            else:
                services.permission_save(permission=row)

    def delete_model(self, request: HttpRequest, obj: Client) -> None:
        services.client_delete(client=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        for client in queryset:
            services.client_delete(client=client)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("credentials.change_key")

    def has_issue_permission(self, request: HttpRequest, client: Client) -> bool:
        """Whether the user may hand out keys of this client."""
        may_change = self.has_change_permission(request, client)
        return may_change and request.user.has_perm("credentials.add_key")

    @admin.action(permissions=["change"], description="Enable selected clients")
    def enable(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        for client in queryset:
            services.client_enable(client=client)
            self.log_change(request, client, "Enabled.")
        self.message_user(request, f"Enabled: {_names(queryset)}.", messages.SUCCESS)

    @admin.action(permissions=["change"], description="Disable selected clients")
    def disable(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        for client in queryset:
            services.client_disable(client=client)
            self.log_change(request, client, "Disabled.")
        self.message_user(
            request,
            f"Disabled: {_names(queryset)}. Their connections are closed now.",
            messages.SUCCESS,
        )

    @admin.action(permissions=["revoke"], description="Revoke all keys of selected clients")
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        revoked = 0
        for client in queryset:
            count = services.client_revoke_keys(client=client)
            self.log_change(request, client, f"Revoked all keys ({count}).")
            revoked += count
        self.message_user(
            request, f"Keys revoked: {revoked}, of {_names(queryset)}.", messages.SUCCESS
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.generate_key_view)
        name = "credentials_client_generate_key"
        return [path("<int:client_id>/generate-key/", view, name=name), *super().get_urls()]

    def generate_key_view(self, request: HttpRequest, client_id: int) -> HttpResponse:
        """GET asks for label and expiry; POST makes the key and shows it, this once."""
        client = self.get_object(request, str(client_id))
        if client is None:
            self.message_user(request, "That client does not exist any more.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:credentials_client_changelist"))
        if not self.has_issue_permission(request, client):
            raise PermissionDenied
        form = NewKeyForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            return self._issue_key(request, client, **form.cleaned_data)
        context = {**self._key_context(request, client), "title": "Generate key", "form": form}
        return TemplateResponse(request, "admin/credentials/client/generate_key.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may_issue = request.user.has_perm("credentials.add_key")
        context = {**(extra_context or {}), "may_issue_keys": may_issue}
        return super().change_view(request, object_id, form_url, context)

    def response_add(
        self, request: HttpRequest, obj: Client, post_url_continue: str | None = None
    ) -> HttpResponse:
        """A client cannot connect without a key, so the first one comes with it."""
        if self.has_issue_permission(request, obj):
            return self._issue_key(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def _issue_key(
        self,
        request: HttpRequest,
        client: Client,
        label: str = "",
        expires_at: datetime | None = None,
    ) -> HttpResponse:
        key, plaintext = services.key_generate(client=client, label=label, expires_at=expires_at)
        self.log_change(request, client, f"Generated key {key.public_id}.")
        context = {
            **self._key_context(request, client),
            "title": "New key",
            "key": key,
            "plaintext": plaintext,
        }
        response = TemplateResponse(request, "admin/credentials/client/new_key.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def _key_context(self, request: HttpRequest, client: Client) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": client,
            "subtitle": str(client),
        }


@admin.register(Key)
class KeyAdmin(ReadOnlyRowsMixin, KeyPages):
    list_display = ["public_id", "client", "kind", "label", "state", "created_at"]
    list_display += ["expires_at", "revoked_at", "last_used"]
    list_filter = ["kind", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ("client",)
    search_fields = ["=public_id", "client__name", "label"]
    fields = ["public_id", "client", "kind", "state", "label", "created_at"]
    fields += ["expires_at", "revoked_at", "last_used"]
    readonly_fields = ["public_id", "client", "kind", "state", "created_at"]
    readonly_fields += ["revoked_at", "last_used"]
    actions = ["revoke"]

    @admin.display
    def state(self, key: Key) -> str:
        return key.state(timezone.now())

    @admin.action(permissions=["change"], description="Revoke selected keys")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Key]) -> None:
        revoked = 0
        for key in queryset:
            if services.key_revoke(key=key):
                self.log_change(request, key, "Revoked.")
                revoked += 1
        self.message_user(request, f"Keys revoked: {revoked}.", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Key, form: Any, change: bool) -> None:
        services.key_save(key=obj)

    def delete_model(self, request: HttpRequest, obj: Key) -> None:
        services.key_delete(key=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> None:
        for key in queryset:
            services.key_delete(key=key)


def _names(clients: QuerySet[Client]) -> str:
    return ", ".join(client.name for client in clients)
