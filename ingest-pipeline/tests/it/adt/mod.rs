//! Messages from their first byte to the queue of fetches, and what workers do
//! with it.

mod corpus;
mod inbox;
mod judge;
mod promises;
mod shut;
mod site;
mod work;
