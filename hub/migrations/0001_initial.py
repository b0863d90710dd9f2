"""The tables of the hub's history.

Three of them are made by SQL, because Django cannot say what makes them cheap:
``integer`` and not ``bigint`` makes a task's id the rowid itself, where ``bigint``
would be one more index; ``WITHOUT ROWID`` keeps the rows of one task side by side.
Everything else is what Django would have made, and a test compares the two, so that
a later migration, which makes a table anew on SQLite, cannot lose it unnoticed.
PostgreSQL has neither: there the tables are as Django makes them.
"""

import django.db.models.deletion
from django.db import migrations, models

TASK = '''
CREATE TABLE "hub_task" (
    "id" integer NOT NULL PRIMARY KEY,
    "task_id" varchar(64) NOT NULL UNIQUE,
    "action" varchar(255) NOT NULL,
    "publisher" varchar(64) NOT NULL,
    "connection" varchar(64) NOT NULL,
    "state" varchar(16) NOT NULL,
    "outcome" varchar(16) NOT NULL,
    "seq" integer unsigned NOT NULL CHECK ("seq" >= 0),
    "created_at" bigint NOT NULL,
    "started_at" bigint NULL,
    "settled_at" bigint NULL,
    "ended_at" bigint NULL,
    "settled_seq" integer unsigned NULL CHECK ("settled_seq" >= 0),
    "start_timeout" bigint NOT NULL,
    "end_timeout" bigint NOT NULL,
    "start_deadline" bigint NOT NULL,
    "end_deadline" bigint NOT NULL,
    "settle" varchar(16) NOT NULL,
    "expect" varchar(16) NOT NULL,
    "claim" bool NOT NULL,
    CONSTRAINT "task_state_known" CHECK (("state" = 'init' OR "state" = 'start' OR "state" = 'success' OR "state" = 'fail' OR "state" = 'end')),
    CONSTRAINT "task_outcome_known" CHECK (("outcome" = '' OR "outcome" = 'success' OR "outcome" = 'fail')),
    CONSTRAINT "task_settle_known" CHECK (("settle" = 'any' OR "settle" = 'first' OR "settle" = 'all')),
    CONSTRAINT "task_expect_known" CHECK (("expect" = 'result' OR "expect" = 'delivery'))
);
CREATE INDEX "task_open" ON "hub_task" ("id") WHERE "ended_at" IS NULL;
CREATE INDEX "task_ended" ON "hub_task" ("ended_at") WHERE "ended_at" IS NOT NULL;
CREATE INDEX "task_action" ON "hub_task" ("action", "id");
'''

TASK_EVENT = '''
CREATE TABLE "hub_task_event" (
    "task" bigint NOT NULL REFERENCES "hub_task" ("id") DEFERRABLE INITIALLY DEFERRED,
    "seq" integer unsigned NOT NULL CHECK ("seq" >= 0),
    "kind" varchar(16) NOT NULL,
    "event_id" varchar(64) NOT NULL,
    "at" bigint NOT NULL,
    "by" varchar(64) NOT NULL,
    "state" varchar(16) NOT NULL,
    "body" text NULL,
    "participant" integer unsigned NOT NULL CHECK ("participant" >= 0),
    "participant_state" varchar(16) NULL,
    "stands_for" varchar(16) NULL,
    CONSTRAINT "event_kind_known" CHECK (("kind" = 'init' OR "kind" = 'start' OR "kind" = 'update' OR "kind" = 'drop' OR "kind" = 'success' OR "kind" = 'fail' OR "kind" = 'end')),
    CONSTRAINT "event_state_known" CHECK (("state" = 'init' OR "state" = 'start' OR "state" = 'success' OR "state" = 'fail' OR "state" = 'end')),
    CONSTRAINT "event_participant_state_known" CHECK (("participant_state" = 'offered' OR "participant_state" = 'started' OR "participant_state" = 'succeeded' OR "participant_state" = 'failed' OR "participant_state" = 'dropped' OR "participant_state" = 'timed out' OR "participant_state" = 'lost')),
    CONSTRAINT "event_stands_for_known" CHECK (("stands_for" = 'success' OR "stands_for" = 'fail')),
    PRIMARY KEY ("task", "seq")
) WITHOUT ROWID;
CREATE UNIQUE INDEX "event_one_outcome" ON "hub_task_event" ("task") WHERE ("kind" = 'success' OR "kind" = 'fail');
CREATE UNIQUE INDEX "event_one_end" ON "hub_task_event" ("task") WHERE "kind" = 'end';
'''

PARTICIPATION = '''
CREATE TABLE "hub_participation" (
    "task" bigint NOT NULL REFERENCES "hub_task" ("id") DEFERRABLE INITIALLY DEFERRED,
    "number" integer unsigned NOT NULL CHECK ("number" >= 0),
    "client" varchar(64) NOT NULL,
    "connection" varchar(64) NOT NULL,
    "group" bool NOT NULL,
    "state" varchar(16) NOT NULL,
    "offered_at" bigint NOT NULL,
    "started_at" bigint NULL,
    "done_at" bigint NULL,
    "body" text NULL,
    CONSTRAINT "participation_state_known" CHECK (("state" = 'offered' OR "state" = 'started' OR "state" = 'succeeded' OR "state" = 'failed' OR "state" = 'dropped' OR "state" = 'timed out' OR "state" = 'lost')),
    PRIMARY KEY ("task", "number")
) WITHOUT ROWID;
'''


class MadeBySql(migrations.RunSQL):
    """A table that is made by this SQL on SQLite, and elsewhere as the state has it."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == 'sqlite':
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        for operation in self.state_operations:
            operation.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == 'sqlite':
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        for operation in reversed(self.state_operations):
            operation.database_backwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        MadeBySql(
            TASK,
            'DROP TABLE "hub_task";',
            state_operations=[
                migrations.CreateModel(
                    name='Task',
                    fields=[
                        ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                        ('task_id', models.CharField(max_length=64, unique=True, verbose_name='task id')),
                        ('action', models.CharField(max_length=255)),
                        ('publisher', models.CharField(max_length=64)),
                        ('connection', models.CharField(max_length=64)),
                        ('state', models.CharField(choices=[('init', 'init'), ('start', 'start'), ('success', 'success'), ('fail', 'fail'), ('end', 'end')], max_length=16)),
                        ('outcome', models.CharField(blank=True, choices=[('success', 'success'), ('fail', 'fail')], default='', max_length=16)),
                        ('seq', models.PositiveIntegerField()),
                        ('created_at', models.BigIntegerField(verbose_name='created')),
                        ('started_at', models.BigIntegerField(null=True, verbose_name='started')),
                        ('settled_at', models.BigIntegerField(null=True, verbose_name='settled')),
                        ('ended_at', models.BigIntegerField(null=True, verbose_name='ended')),
                        ('settled_seq', models.PositiveIntegerField(null=True)),
                        ('start_timeout', models.BigIntegerField()),
                        ('end_timeout', models.BigIntegerField()),
                        ('start_deadline', models.BigIntegerField()),
                        ('end_deadline', models.BigIntegerField()),
                        ('settle', models.CharField(choices=[('any', 'any'), ('first', 'first'), ('all', 'all')], max_length=16)),
                        ('expect', models.CharField(choices=[('result', 'result'), ('delivery', 'delivery')], max_length=16)),
                        ('claim', models.BooleanField()),
                    ],
                    options={
                        'db_table': 'hub_task',
                        'ordering': ['-id'],
                        'indexes': [models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['id'], name='task_open'), models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['ended_at'], name='task_ended'), models.Index(fields=['action', 'id'], name='task_action')],
                        'constraints': [models.CheckConstraint(condition=models.Q(('state', 'init'), ('state', 'start'), ('state', 'success'), ('state', 'fail'), ('state', 'end'), _connector='OR'), name='task_state_known'), models.CheckConstraint(condition=models.Q(('outcome', ''), ('outcome', 'success'), ('outcome', 'fail'), _connector='OR'), name='task_outcome_known'), models.CheckConstraint(condition=models.Q(('settle', 'any'), ('settle', 'first'), ('settle', 'all'), _connector='OR'), name='task_settle_known'), models.CheckConstraint(condition=models.Q(('expect', 'result'), ('expect', 'delivery'), _connector='OR'), name='task_expect_known')],
                    },
                ),
            ],
        ),
        MadeBySql(
            TASK_EVENT,
            'DROP TABLE "hub_task_event";',
            state_operations=[
                migrations.CreateModel(
                    name='TaskEvent',
                    fields=[
                        ('pk', models.CompositePrimaryKey('task_id', 'seq', blank=True, editable=False, primary_key=True, serialize=False)),
                        ('seq', models.PositiveIntegerField()),
                        ('kind', models.CharField(choices=[('init', 'init'), ('start', 'start'), ('update', 'update'), ('drop', 'drop'), ('success', 'success'), ('fail', 'fail'), ('end', 'end')], max_length=16)),
                        ('event_id', models.CharField(max_length=64, verbose_name='event id')),
                        ('at', models.BigIntegerField()),
                        ('by', models.CharField(max_length=64)),
                        ('state', models.CharField(choices=[('init', 'init'), ('start', 'start'), ('success', 'success'), ('fail', 'fail'), ('end', 'end')], max_length=16)),
                        ('body', models.TextField(null=True)),
                        ('participant', models.PositiveIntegerField(default=0)),
                        ('participant_state', models.CharField(choices=[('offered', 'offered'), ('started', 'started'), ('succeeded', 'succeeded'), ('failed', 'failed'), ('dropped', 'dropped'), ('timed out', 'timed out'), ('lost', 'lost')], max_length=16, null=True)),
                        ('stands_for', models.CharField(choices=[('success', 'success'), ('fail', 'fail')], max_length=16, null=True)),
                        ('task', models.ForeignKey(db_column='task', db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='hub.task')),
                    ],
                    options={
                        'db_table': 'hub_task_event',
                        'ordering': ['task', 'seq'],
                        'constraints': [models.CheckConstraint(condition=models.Q(('kind', 'init'), ('kind', 'start'), ('kind', 'update'), ('kind', 'drop'), ('kind', 'success'), ('kind', 'fail'), ('kind', 'end'), _connector='OR'), name='event_kind_known'), models.CheckConstraint(condition=models.Q(('state', 'init'), ('state', 'start'), ('state', 'success'), ('state', 'fail'), ('state', 'end'), _connector='OR'), name='event_state_known'), models.CheckConstraint(condition=models.Q(('participant_state', 'offered'), ('participant_state', 'started'), ('participant_state', 'succeeded'), ('participant_state', 'failed'), ('participant_state', 'dropped'), ('participant_state', 'timed out'), ('participant_state', 'lost'), _connector='OR'), name='event_participant_state_known'), models.CheckConstraint(condition=models.Q(('stands_for', 'success'), ('stands_for', 'fail'), _connector='OR'), name='event_stands_for_known'), models.UniqueConstraint(condition=models.Q(('kind', 'success'), ('kind', 'fail'), _connector='OR'), fields=('task',), name='event_one_outcome'), models.UniqueConstraint(condition=models.Q(('kind', 'end')), fields=('task',), name='event_one_end')],
                    },
                ),
            ],
        ),
        MadeBySql(
            PARTICIPATION,
            'DROP TABLE "hub_participation";',
            state_operations=[
                migrations.CreateModel(
                    name='Participation',
                    fields=[
                        ('pk', models.CompositePrimaryKey('task_id', 'number', blank=True, editable=False, primary_key=True, serialize=False)),
                        ('number', models.PositiveIntegerField()),
                        ('client', models.CharField(max_length=64)),
                        ('connection', models.CharField(max_length=64)),
                        ('group', models.BooleanField()),
                        ('state', models.CharField(choices=[('offered', 'offered'), ('started', 'started'), ('succeeded', 'succeeded'), ('failed', 'failed'), ('dropped', 'dropped'), ('timed out', 'timed out'), ('lost', 'lost')], max_length=16)),
                        ('offered_at', models.BigIntegerField(verbose_name='offered')),
                        ('started_at', models.BigIntegerField(null=True, verbose_name='started')),
                        ('done_at', models.BigIntegerField(null=True, verbose_name='done')),
                        ('body', models.TextField(null=True)),
                        ('task', models.ForeignKey(db_column='task', db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='participations', to='hub.task')),
                    ],
                    options={
                        'db_table': 'hub_participation',
                        'ordering': ['task', 'number'],
                        'constraints': [models.CheckConstraint(condition=models.Q(('state', 'offered'), ('state', 'started'), ('state', 'succeeded'), ('state', 'failed'), ('state', 'dropped'), ('state', 'timed out'), ('state', 'lost'), _connector='OR'), name='participation_state_known')],
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name='Connection',
            fields=[
                ('connection', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('client', models.CharField(max_length=64)),
                ('address', models.CharField(max_length=64)),
                ('protocol', models.CharField(max_length=16)),
                ('since', models.BigIntegerField()),
                ('lease_until', models.BigIntegerField()),
            ],
            options={
                'db_table': 'hub_connection',
                'ordering': ['since', 'connection'],
            },
        ),
        migrations.CreateModel(
            name='HubMeta',
            fields=[
                ('key', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('value', models.TextField()),
            ],
            options={
                'db_table': 'hub_meta',
            },
        ),
    ]
