"""What the bookkeeping model says each story must end with: the state of each transfer, and the sum of each kind of
account in minor units.

The model is an independent program that knows only the posting table and the arrows between states. It plays the same
stories with the same amounts (1,000.00; a fee of 0.25; 0.20 short or over; interest of 0.12), so a mistake that is in
our services and in our expectations alike still shows.
"""

from __future__ import annotations

FIGURES: dict[str, tuple[dict[str, str], dict[str, int]]] = {
    # happy path
    "01": ({"t1": "completed"}, {"icash": -100000, "fcash": 100000}),
    # withdrawal rejected
    "02": ({"t1": "failed"}, {}),
    # deposit rejected, refunded
    "03": ({"t1": "refunded"}, {}),
    # deposit rejected, retried (new key), completed
    "04": ({"t1": "completed"}, {"icash": -100000, "fcash": 100000}),
    # deposit returned after completion less 25, refunded
    "05": ({"t1": "refunded"}, {"icash": -25, "fees": 25}),
    # withdrawal returned before the deposit
    "06": ({"t1": "returned"}, {}),
    # withdrawal returned in flight, deposit settles
    "07a": ({"t1": "completed"}, {"fcash": 100000, "adv": -100000}),
    # withdrawal returned in flight, deposit rejected
    "07b": ({"t1": "returned"}, {}),
    # returned after completion, fund sends it back
    "08": ({"t1": "returned"}, {}),
    # ... not recovered, written off
    "09a": ({"t1": "completed"}, {"fcash": 100000, "adv": 50000, "outside": -150000}),
    # ... investor pays again by wire
    "09b": ({"t1": "completed"}, {"fcash": 100000, "outside": -100000}),
    # refund rejected, paid to another own account
    "10a": ({"t1": "refunded"}, {}),
    # refund settled, returned, paid by cheque
    "10b": ({"t1": "refunded"}, {"icash": -100000, "outside": 100000}),
    # short pay in (fee 20), accepted
    "11a": ({"t1": "completed"}, {"icash": -100000, "fcash": 99980, "fees": 20}),
    # short pay in, firm tops up
    "11b": ({"t1": "completed"}, {"icash": -100000, "fcash": 100000, "fees": 20, "adv": 980, "outside": -1000}),
    # short pay out (fee 20)
    "12": ({"t1": "completed"}, {"icash": -100000, "fcash": 99980, "fees": 20}),
    # overpay: excess split and refunded
    "13": ({"t1": "completed", "t2": "refunded"}, {"icash": -100000, "fcash": 100000}),
    # duplicate withdrawal, refunded
    "14a": ({"t1": "completed", "t2": "refunded"}, {"icash": -100000, "fcash": 100000}),
    # duplicate deposit, fund returns it
    "14b": ({"t1": "completed"}, {"icash": -100000, "fcash": 100000}),
    # unknown, later found settled
    "15": ({"t1": "withdrawn"}, {"icash": -100000, "clr": 100000}),
    # never received (two people), settles after all
    "16": ({"t1": "refunded"}, {}),
    # deposit "rejected", refunded, settles after all, recalled
    "16b": ({"t1": "refunded"}, {}),
    # fund closed between legs: refund
    "17": ({"t1": "refunded"}, {}),
    # raise fails: recall, interest 12 kept with the investor
    "18": ({"t1": "refunded"}, {"icash": 12, "outside": -12}),
    # sanctions hit: frozen
    "19a": ({"t1": "frozen"}, {"icash": -100000, "frozen": 100000}),
    # ... released under licence and refunded
    "19b": ({"t1": "refunded"}, {}),
    # cut-back in withdrawn
    "20a": ({"t1": "completed", "t2": "refunded"}, {"icash": -60000, "fcash": 60000}),
    # cut-back after completion (split, recall)
    "20b": ({"t1": "completed", "t2": "refunded"}, {"icash": -60000, "fcash": 60000}),
    # ACH return on day 60
    "21": ({"t1": "completed"}, {"fcash": 100000, "adv": -100000}),
    # two transfers, one cancelled
    "22": ({"t1": "completed", "t2": "cancelled"}, {"icash": -100000, "fcash": 100000}),
    # redirected to another fund
    "23": ({"t1": "completed"}, {"icash": -100000, "fcash": 100000}),
    # withdrawal returned while the refund is in flight
    "24": ({"t1": "refunded"}, {"icash": 100000, "adv": -100000}),
    # stray credit, bank charge
    "25": ({"t1": "approved"}, {"fees": 75, "adv": 925, "outside": -1000}),
}
