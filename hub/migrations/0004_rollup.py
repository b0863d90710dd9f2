"""Sums of ended tasks, of minutes and of hours.

``WITHOUT ROWID`` on SQLite, as in 0001: the key is the row, and one index less to write.
"""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

ROLLUP = '''
CREATE TABLE "hub_rollup" (
    "width_ms" {unsigned} NOT NULL CHECK ("width_ms" >= 0),
    "at" bigint NOT NULL,
    "action" varchar(255) NOT NULL,
    "outcome" varchar(16) NOT NULL,
    "bucket" {small_unsigned} NOT NULL CHECK ("bucket" >= 0),
    "n" bigint NOT NULL,
    PRIMARY KEY ("width_ms", "at", "action", "outcome", "bucket")
)
'''


def make(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == 'sqlite':
        words = {'unsigned': 'integer unsigned', 'small_unsigned': 'smallint unsigned'}
        schema_editor.execute(ROLLUP.format(**words) + ' WITHOUT ROWID')
    else:
        schema_editor.execute(ROLLUP.format(unsigned='integer', small_unsigned='smallint'))


def drop(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute('DROP TABLE "hub_rollup"')


class Migration(migrations.Migration):
    dependencies = [('hub', '0003_operators')]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(make, drop)],
            [
                migrations.CreateModel(
                    name='Rollup',
                    fields=[
                        ('pk', models.CompositePrimaryKey('width_ms', 'at', 'action', 'outcome', 'bucket', blank=True, editable=False, primary_key=True, serialize=False)),
                        ('width_ms', models.PositiveIntegerField()),
                        ('at', models.BigIntegerField()),
                        ('action', models.CharField(max_length=255)),
                        ('outcome', models.CharField(choices=[('success', 'success'), ('fail', 'fail')], max_length=16)),
                        ('bucket', models.PositiveSmallIntegerField()),
                        ('n', models.BigIntegerField()),
                    ],
                    options={
                        'db_table': 'hub_rollup',
                        'ordering': ['width_ms', 'at', 'action'],
                        'default_permissions': (),
                    },
                ),
            ],
        ),
    ]
