from django.urls import path

from transfers.api import bulk, callbacks, changes, log, requests, simulated_faults, simulations

urlpatterns = [
    path("transfers", requests.TransfersView.as_view(), name="transfers"),
    path("transfers/check", requests.TransferCheckView.as_view(), name="transfer-check"),
    path("transfers/bulk", bulk.TransferBulkView.as_view(), name="transfer-bulk"),
    path("transfers/<str:transfer>", requests.TransferView.as_view(), name="transfer"),
    path("transfers/<str:transfer>/events", requests.TransferEventsView.as_view(), name="transfer-events"),
    path("transfers/<str:transfer>/cancel", changes.CancelView.as_view(), name="transfer-cancel"),
    path("transfers/<str:transfer>/approve", changes.ApproveView.as_view(), name="transfer-approve"),
    path("transfers/<str:transfer>/reject", changes.RejectView.as_view(), name="transfer-reject"),
    path("transfers/<str:transfer>/hold", changes.HoldView.as_view(), name="transfer-hold"),
    path("transfers/<str:transfer>/release", changes.ReleaseView.as_view(), name="transfer-release"),
    path("transfers/<str:transfer>/freeze", changes.FreezeView.as_view(), name="transfer-freeze"),
    path("transfers/<str:transfer>/override", changes.OverrideView.as_view(), name="transfer-override"),
    path("transfers/<str:transfer>/refund", changes.RefundView.as_view(), name="transfer-refund"),
    path("transfers/<str:transfer>/retry", changes.RetryView.as_view(), name="transfer-retry"),
    path("events", log.EventsView.as_view(), name="events"),
    path("callbacks/<str:institution>", callbacks.CallbackView.as_view(), name="callback"),
    path("simulations/clock/advance", simulations.ClockAdvanceView.as_view(), name="simulate-clock"),
    path("simulations/faults", simulated_faults.FaultsView.as_view(), name="simulate-fault"),
    path("simulations/movements", simulated_faults.MovementsView.as_view(), name="simulate-movement"),
    path(
        "simulations/transfers/<str:transfer>/faults",
        simulated_faults.TransferFaultsView.as_view(),
        name="simulate-transfer-fault",
    ),
    path(
        "simulations/transfers/<str:transfer>/time-out",
        simulated_faults.TimeOutView.as_view(),
        name="simulate-time-out",
    ),
    path("simulations/transfers/<str:transfer>/settle", simulations.SettleView.as_view(), name="simulate-settle"),
    path("simulations/transfers/<str:transfer>/reject", simulations.BankRejectView.as_view(), name="simulate-reject"),
    path("simulations/transfers/<str:transfer>/return", simulations.ReturnView.as_view(), name="simulate-return"),
]
