/*
 * Floating point, compiled twice from this text: for the x87 stack (the i386
 * default) and for SSE2 (-msse2 -mfpmath=sse). FLOAT_UNIT names the unit. The
 * two may round differently, so each has its own checksum.
 */
#include "bench.h"
#include <math.h>
#include <string.h>

#define PASTE3(a, b, c) a##b##c
#define TABLE(unit) PASTE3(float_, unit, _workloads)
#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
#define ROW(name) name "-" TEXT(FLOAT_UNIT)

/* The x87 takes about three times as long; each version has its own length for a like duration. */
#ifdef __SSE2_MATH__
enum { NBODY = 1500000, MANDELBROT = 20000, MULTIPLY = 1200 };
#else
enum { NBODY = 300000, MANDELBROT = 6000, MULTIPLY = 150 };
#endif
enum { BODIES = 8, MATRIX = 96 };

static uint32_t bits(double value) {
  uint64_t raw;
  memcpy(&raw, &value, 8);
  return (uint32_t)raw ^ (uint32_t)(raw >> 32);
}

typedef struct { double x[3], v[3], mass; } body;
static body bodies[BODIES];

static void make_bodies(void) {
  uint32_t seed = 17;
  for (int i = 0; i < BODIES; i++) {
    for (int k = 0; k < 3; k++) {
      bodies[i].x[k] = (int32_t)next_random(&seed) * 0x1p-28;
      bodies[i].v[k] = (int32_t)next_random(&seed) * 0x1p-33;
    }
    bodies[i].mass = 0.1 + (next_random(&seed) >> 8) * 0x1p-24;
  }
}

/* Gravity among a few bodies, softened so that a near pass stays finite; sqrt and division inside. */
static uint32_t nbody(unsigned iterations) {
  const double step = 0x1p-9;
  for (unsigned n = 0; n < iterations; n++) {
    for (int i = 0; i < BODIES; i++)
      for (int j = i + 1; j < BODIES; j++) {
        double d[3], square = 0.01;
        for (int k = 0; k < 3; k++) {
          d[k] = bodies[j].x[k] - bodies[i].x[k];
          square += d[k] * d[k];
        }
        double pull = step / (square * sqrt(square));
        for (int k = 0; k < 3; k++) {
          bodies[i].v[k] += d[k] * pull * bodies[j].mass;
          bodies[j].v[k] -= d[k] * pull * bodies[i].mass;
        }
      }
    for (int i = 0; i < BODIES; i++)
      for (int k = 0; k < 3; k++) bodies[i].x[k] += bodies[i].v[k] * step;
  }
  uint32_t sum = 0;
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) sum = mix(sum, bits(bodies[i].x[k]));
  return sum;
}

static uint32_t mandelbrot(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    double ci = -1.25 + 2.5 * (n % 64) / 64;
    for (int column = 0; column < 64; column++) {
      double cr = -2 + 3.0 * column / 64, r = 0, i = 0, rr = 0, ii = 0;
      uint32_t count = 0;
      for (; count < 256 && rr + ii < 4; count++) {
        i = 2 * r * i + ci;
        r = rr - ii + cr;
        rr = r * r;
        ii = i * i;
      }
      sum = mix(sum, count);
    }
  }
  return sum;
}

static double left[MATRIX][MATRIX], right[MATRIX][MATRIX], product[MATRIX][MATRIX];

static void make_matrices(void) {
  uint32_t seed = 23;
  for (int i = 0; i < MATRIX; i++)
    for (int j = 0; j < MATRIX; j++) {
      left[i][j] = (int32_t)next_random(&seed) * 0x1p-31;
      right[i][j] = (int32_t)next_random(&seed) * 0x1p-31;
    }
}

static uint32_t multiply(unsigned iterations) {
  uint32_t sum = 0;
  for (unsigned n = 0; n < iterations; n++) {
    left[n % MATRIX][0] += 0.5;
    memset(product, 0, sizeof product);
    for (int i = 0; i < MATRIX; i++)
      for (int k = 0; k < MATRIX; k++) {
        double factor = left[i][k];
        for (int j = 0; j < MATRIX; j++) product[i][j] += factor * right[k][j];
      }
    sum = mix(sum, bits(product[n % MATRIX][n * 7 % MATRIX]));
  }
  return sum;
}

const workload TABLE(FLOAT_UNIT)[] = {
  { ROW("nbody"), "fp", NBODY, make_bodies, nbody },
  { ROW("mandelbrot"), "fp", MANDELBROT, 0, mandelbrot },
  { ROW("multiply"), "fp", MULTIPLY, make_matrices, multiply },
  { 0 },
};
