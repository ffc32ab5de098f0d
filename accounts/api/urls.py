from django.urls import path

from accounts.api import views

urlpatterns = [
    path("accounts", views.AccountsView.as_view(), name="accounts"),
    path("accounts/<str:account>", views.AccountView.as_view(), name="account"),
    path("accounts/<str:account>/balance", views.BalanceView.as_view(), name="balance"),
]
