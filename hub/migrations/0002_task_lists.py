"""Indexes for the lists that people and programs ask for most."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hub', '0001_initial'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['publisher', 'id'], name='task_publisher'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('outcome', 'fail')), fields=['outcome', 'id'], name='task_failed'),
        ),
    ]
