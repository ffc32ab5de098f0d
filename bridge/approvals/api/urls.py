from django.urls import path

from bridge.approvals.api import views

urlpatterns = [
    path("approvals", views.ApprovalsView.as_view(), name="approvals"),
    path("approvals/<str:approval>", views.ApprovalView.as_view(), name="approval"),
    path("approvals/<str:approval>/approve", views.ApproveView.as_view(), name="approval-approve"),
    path("approvals/<str:approval>/reject", views.RejectView.as_view(), name="approval-reject"),
    path("approvals/<str:approval>/withdraw", views.WithdrawView.as_view(), name="approval-withdraw"),
]
