//! The process of the contract.

use std::time::Duration;

use annals::EncodeError;
use annals::prelude::*;
use annals::process::{
    CommandEnum, DeadlineMove, Done, IntoCommands, NextStep, Process, ProcessManager, React,
    Refused, Rejection, SentBy, SentCommand, Step, Steps,
};
use annals::projection::{Route, RowError, Source};
use annals::{Misfit, Subject};
use serde::{Deserialize, Serialize};

use crate::shop::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fulfilment {
    pub product: ProductId,
    pub quantity: u32,
    pub stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    Reserving,
    Charging,
    GivenUp,
}

impl Fulfilment {
    fn confirmed(event: &OrderConfirmed, cx: &EventContext<Self>) -> (Self, ReserveStock) {
        let (product, quantity) = (event.product.clone(), event.quantity);
        let reserve = ReserveStock { product: product.clone(), order: cx.id().clone(), quantity };
        (Self { product, quantity, stage: Stage::Reserving }, reserve)
    }

    fn reserved(
        self,
        _: &StockReserved,
        cx: &EventContext<Self>,
    ) -> (Option<Self>, FulfilmentCommand) {
        match self.stage {
            Stage::GivenUp => (None, self.release(cx.id()).into()),
            _ => {
                let charge = ChargePayment { order: cx.id().clone() };
                (Some(Self { stage: Stage::Charging, ..self }), charge.into())
            }
        }
    }

    fn charged(self, _: &PaymentCharged, cx: &EventContext<Self>) -> Done<Vec<FulfilmentCommand>> {
        let order = cx.id().clone();
        match self.stage {
            Stage::GivenUp => {
                Done(vec![self.release(&order).into(), RefundPayment { order }.into()])
            }
            _ => Done(vec![ShipOrder { order }.into()]),
        }
    }

    fn declined(
        self,
        _: &PaymentDeclined,
        cx: &EventContext<Self>,
    ) -> Done<(ReleaseStock, Option<CancelOrder>)> {
        Done((self.release(cx.id()), self.cancel(cx.id(), "payment declined")))
    }

    fn cancelled(&mut self, _: &OrderCancelled) {
        self.stage = Stage::GivenUp;
    }

    fn not_reserved(
        self,
        _: &ReserveStock,
        why: &Rejection,
        cx: &EventContext<Self>,
    ) -> Done<Option<CancelOrder>> {
        Done(self.cancel(cx.id(), &why.to_string()))
    }

    fn not_shipped(
        self,
        command: &ShipOrder,
        _: &Rejection,
    ) -> Done<(ReleaseStock, RefundPayment)> {
        Done((self.release(&command.order), RefundPayment { order: command.order.clone() }))
    }

    fn too_slow(&mut self, cx: &EventContext<Self>) -> Option<CancelOrder> {
        if self.stage != Stage::Reserving {
            return None;
        }
        let cancel = self.cancel(cx.id(), "timed out");
        self.stage = Stage::GivenUp;
        cancel
    }

    fn release(&self, order: &OrderId) -> ReleaseStock {
        ReleaseStock {
            product: self.product.clone(),
            order: order.clone(),
            quantity: self.quantity,
        }
    }

    fn cancel(&self, order: &OrderId, reason: &str) -> Option<CancelOrder> {
        let needed = self.stage != Stage::GivenUp;
        needed.then(|| CancelOrder { order: order.clone(), reason: reason.into() })
    }
}

macro_rules! sends {
    ($process:ident, $name:ident: $($command:ident),+) => {
        #[derive(Debug, Clone)]
        pub enum $name { $($command($command)),+ }
        impl CommandEnum for $name {
            const COMMANDS: &'static [SentCommand] = &[$(SentCommand::of::<$command>()),+];
            fn sent(&self) -> &'static SentCommand {
                let name = match self { $(Self::$command(_) => <$command as Command>::NAME),+ };
                Self::COMMANDS.iter().find(|sent| sent.name == name).expect("it is listed")
            }
            fn content(&self) -> Result<serde_json::Value, EncodeError> {
                Ok(match self { $(Self::$command(command) => serde_json::to_value(command)),+ }.expect("it is JSON"))
            }
        }
        $(
            impl From<$command> for $name {
                fn from(command: $command) -> Self { Self::$command(command) }
            }
            impl SentBy<$process> for $command {
                fn into_command(self) -> $name { self.into() }
            }
            impl IntoCommands<$process> for $command {
                fn extend_into(self, commands: &mut Vec<$name>, _: &mut Vec<DeadlineMove>) {
                    commands.push(self.into());
                }
            }
        )+
        impl IntoCommands<$process> for $name {
            fn extend_into(self, commands: &mut Vec<$name>, _: &mut Vec<DeadlineMove>) {
                commands.push(self);
            }
        }
    };
}

sends!(Fulfilment, FulfilmentCommand: ReserveStock, ReleaseStock, ChargePayment, RefundPayment, ShipOrder, CancelOrder);

impl Subject for Fulfilment {
    type Key = OrderId;
}

impl ProcessManager for Fulfilment {
    type Id = OrderId;
    type Command = FulfilmentCommand;
    const NAME: &'static str = "fulfilment";
    fn same_state(&self, other: &Self) -> Option<bool> {
        Some(self == other)
    }
}

macro_rules! on {
    ($event:ident, |$read:ident, $recorded:ident| $route:expr, |$state:ident, $cx:ident| $step:expr) => {
        impl React<$event> for Fulfilment {
            fn source() -> Source<Self> {
                Source::any()
            }
            fn route(
                $read: &$event,
                $recorded: &RecordedEvent,
            ) -> Result<Route<OrderId>, RowError> {
                Ok(Route::One($route))
            }
            fn step(
                $state: Option<Self>,
                $read: &$event,
                $cx: &EventContext<Self>,
            ) -> Result<Step<Self>, Misfit> {
                $step
            }
        }
    };
}

fn own(recorded: &RecordedEvent) -> OrderId {
    recorded.stream_id.as_str().split_once('-').expect("a stream has an id").1.into()
}

on!(OrderConfirmed, |event, recorded| own(recorded), |state, cx| match state {
    None => Ok(Self::confirmed(event, cx).into_step()),
    Some(_) => Err(Misfit::Exists),
});
on!(StockReserved, |event, _recorded| event.order.clone(), |state, cx| {
    Ok(state.ok_or(Misfit::Missing)?.reserved(event, cx).into_step())
});
on!(PaymentCharged, |event, _recorded| event.order.clone(), |state, cx| {
    Ok(state.ok_or(Misfit::Missing)?.charged(event, cx).into_step())
});
on!(PaymentDeclined, |event, _recorded| event.order.clone(), |state, cx| {
    Ok(state.ok_or(Misfit::Missing)?.declined(event, cx).into_step())
});
on!(OrderCancelled, |event, recorded| own(recorded), |state, _cx| {
    let mut state = state.ok_or(Misfit::Missing)?;
    state.cancelled(event);
    Ok(Step::new(Some(state), ()))
});

impl Refused<ReserveStock> for Fulfilment {
    fn step(
        state: Option<Self>,
        command: &ReserveStock,
        why: &Rejection,
        cx: &EventContext<Self>,
    ) -> Result<Step<Self>, Misfit> {
        Ok(state.ok_or(Misfit::Missing)?.not_reserved(command, why, cx).into_step())
    }
}

impl Refused<ShipOrder> for Fulfilment {
    fn step(
        state: Option<Self>,
        command: &ShipOrder,
        why: &Rejection,
        _: &EventContext<Self>,
    ) -> Result<Step<Self>, Misfit> {
        Ok(state.ok_or(Misfit::Missing)?.not_shipped(command, why).into_step())
    }
}

impl Process for Fulfilment {
    fn steps() -> Steps<Self> {
        Steps::new()
            .on::<OrderConfirmed>()
            .on::<StockReserved>()
            .on::<PaymentCharged>()
            .on::<PaymentDeclined>()
            .on::<OrderCancelled>()
            .rejected::<ReserveStock>()
            .rejected::<ShipOrder>()
            .deadline("too_slow", Some(Duration::from_mins(15)), |state, cx| {
                let mut state = state.ok_or(Misfit::Missing)?;
                let sent = state.too_slow(cx);
                Ok(Step::new(Some(state), sent))
            })
    }
}
