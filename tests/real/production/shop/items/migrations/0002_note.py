from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("items", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("file", models.CharField(max_length=100)),
                ("found", models.CharField(blank=True, max_length=100)),
            ],
        ),
    ]
