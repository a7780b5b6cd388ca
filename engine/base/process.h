/*
 * process.h - what a program settles about itself before it does anything else.
 */
#ifndef ENGINE_BASE_PROCESS_H
#define ENGINE_BASE_PROCESS_H

/* Makes threads that wait for each other spin for some ten microseconds and then sleep, unless
 * OMP_WAIT_POLICY says otherwise. A thread that sleeps wakes too late for the next op of a small
 * network, which takes no longer than waking does; one that spins on wastes the processor time of
 * whoever is waited for: beside two other busy processes on two cores a training step took ten
 * times as long. The OpenMP runtime reads its environment before main, so the program is executed
 * once more; when that fails it goes on as it is. Call it first in main. */
void process_wait_briefly(char *const *argv);

#endif
