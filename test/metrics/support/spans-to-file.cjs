/**
 * What an operator's OpenTelemetry SDK is to a controller: `node --require` of a file that registers a provider. This one
 * writes each span that ends to GODWIT_TEST_SPANS, a JSON line each, keeping the trace id that its parent has.
 */
const { appendFileSync } = require('node:fs');
const { randomBytes } = require('node:crypto');
const { trace } = require('@opentelemetry/api');

const file = process.env.GODWIT_TEST_SPANS;

class FileSpan {
  constructor(name, { startTime, attributes = {} }, parent) {
    this.spanId = randomBytes(8).toString('hex');
    this.traceId = parent?.traceId ?? randomBytes(16).toString('hex');
    Object.assign(this, { name, startTime, attributes, parentSpanId: parent?.spanId });
  }

  spanContext() {
    return { traceId: this.traceId, spanId: this.spanId, traceFlags: 1 };
  }
  isRecording() {
    return true;
  }
  setStatus(status) {
    this.status = status;
    return this;
  }
  end(endTime) {
    appendFileSync(file, `${JSON.stringify({ ...this, endTime })}\n`);
  }
}

if (file)
  trace.setGlobalTracerProvider({
    getTracer: () => ({ startSpan: (name, options, context) => new FileSpan(name, options, trace.getSpanContext(context)) }),
  });
