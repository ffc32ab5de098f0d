from django.urls import path

from notifications.api import views

urlpatterns = [path("notifications", views.NotificationsView.as_view(), name="notifications")]
