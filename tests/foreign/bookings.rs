//! Bookings of tables, for the examples of the guide to processes.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

/// A booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, AggregateId)]
pub struct BookingId(String);

/// A table of the house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, AggregateId)]
pub struct TableId(String);

/// A guest asks for a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "GuideTableAsked")]
pub struct TableAsked {
    /// The table.
    pub table: TableId,
    /// Where the guest is to be told.
    pub address: String,
}

/// The guest comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "GuideBookingConfirmed")]
pub struct BookingConfirmed;

/// The guest has to go elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "GuideGuestTurnedAway")]
pub struct GuestTurnedAway {
    /// Why.
    pub reason: String,
}

/// Asks for a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
#[command(name = "GuideAskForTable")]
pub struct AskForTable {
    /// The booking.
    #[command(id)]
    pub booking: BookingId,
    /// The table.
    pub table: TableId,
}

/// Has the guest go elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
#[command(name = "GuideTurnAway")]
pub struct TurnAway {
    /// The booking.
    #[command(id)]
    pub booking: BookingId,
    /// Why.
    pub reason: String,
}

/// A booking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = BookingId, category = "guide_booking", events(TableAsked, BookingConfirmed, GuestTurnedAway))]
pub struct Booking;

#[handlers]
impl Booking {
    #[handle]
    fn ask(command: AskForTable) -> TableAsked {
        TableAsked { table: command.table, address: "guest@house".into() }
    }

    #[apply]
    fn asked(_: &TableAsked) -> Self {
        Self
    }

    #[apply]
    fn confirmed(&mut self, _: &BookingConfirmed) {}

    #[handle]
    fn turn_away(&self, command: TurnAway) -> GuestTurnedAway {
        GuestTurnedAway { reason: command.reason }
    }

    #[apply]
    fn turned_away(&mut self, _: &GuestTurnedAway) {}
}

/// The table is kept for a booking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "GuideTableReserved")]
pub struct TableReserved {
    /// The booking.
    pub booking: BookingId,
}

/// The table is free again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "GuideTableFreed")]
pub struct TableFreed;

/// Keeps a table for a booking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
#[command(name = "GuideReserveTable")]
pub struct ReserveTable {
    /// The table.
    #[command(id)]
    pub table: TableId,
    /// The booking.
    pub booking: BookingId,
}

/// Gives a table to others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
#[command(name = "GuideFreeTable")]
pub struct FreeTable {
    /// The table.
    #[command(id)]
    pub table: TableId,
}

/// Why a table is not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken;

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the table is taken")
    }
}

impl std::error::Error for Taken {}

/// A table: for whom it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = TableId, category = "guide_table", events(TableReserved, TableFreed))]
pub struct HouseTable {
    guest: Option<BookingId>,
}

#[handlers]
impl HouseTable {
    #[handle(upsert)]
    fn reserve(state: Option<&Self>, command: ReserveTable) -> Result<TableReserved, Taken> {
        match state.and_then(|table| table.guest.as_ref()) {
            Some(guest) if *guest != command.booking => Err(Taken),
            _ => Ok(TableReserved { booking: command.booking }),
        }
    }

    #[apply(upsert)]
    fn reserved(_: Option<Self>, event: &TableReserved) -> Self {
        Self { guest: Some(event.booking.clone()) }
    }

    #[handle]
    fn free(&self, _: FreeTable) -> TableFreed {
        TableFreed
    }

    #[apply]
    fn freed(&mut self, _: &TableFreed) {
        self.guest = None;
    }
}
