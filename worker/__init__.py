"""Where questions are answered: a supervisor, its worker processes, and what they are made of.

__main__        reads the settings and starts one of:
supervisor      starts worker processes, replaces dead ones, drains
  child         one worker process, as its supervisor sees it
  leases        keeps the claims of living processes, finds dead ones of others
  recovery      hands back the claims of processes that ended
  watchdog      which running batch is over its time, or cancelled
  silence         gives back what a process that does not answer has not begun
process         what a worker process does from start to end
  runner        its main thread: runs one batch after another
  exchange      its other thread: stores results and claims tasks in one round trip
  desk          what the two threads share
  batcher, claim_size, prefetch      how tasks are grouped, how many, how early
  progress, turn                     reports while running; one device for several workers
status_board    the memory that tells the supervisor what a process runs right now
backoff, outage, owner
"""
