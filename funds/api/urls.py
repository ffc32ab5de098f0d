from django.urls import path

from funds.api import views

urlpatterns = [
    path("funds", views.FundsView.as_view(), name="funds"),
    path("funds/<str:fund>", views.FundView.as_view(), name="fund"),
    path("allocations", views.AllocationsView.as_view(), name="allocations"),
]
