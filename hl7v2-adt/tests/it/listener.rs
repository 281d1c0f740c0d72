mod client;
mod faults;
mod load;
mod messages;
mod stop;
mod tls;
