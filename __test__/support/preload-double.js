'use strict';

// For `node --require`: puts a native double where the package looks for its native part, in a process
// that jest does not run. The double does nothing by itself, so the process ends when its script does.

const native = require('../../lib/native');
const { createNativeDouble } = require('./native-double');

globalThis.double = createNativeDouble();
native.loadNative = () => globalThis.double;
