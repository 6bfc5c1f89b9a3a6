'use strict';

const { docker } = require('../support/docker');
const { NO_PYTHON, Pools, outside } = require('../support/engine');

const pools = new Pools();
afterEach(pools.close);

describe('an image whose python3 does not come up', () => {
  const image = 'broken-python:latest';

  beforeAll(async () => {
    const script = 'printf "#!/bin/sh\\nexit 1\\n" > /bin/python3 && chmod +x /bin/python3';
    const container = await docker().createContainer({
      Image: NO_PYTHON,
      Cmd: ['/bin/sh', '-c', script],
    });
    await container.start();
    await container.wait();
    await container.commit({ repo: 'broken-python', tag: 'latest' });
    await container.remove();
  });
  afterAll(() => outside().removeImage(image));

  it('runs commands through the engine', async () => {
    const broken = pools.make({ image, poolSize: 1 });
    await expect(broken.run(['echo', 'x'])).resolves.toMatchObject({ stdout: 'x\n', path: 'cold' });
    await expect(broken.run('print(1)')).resolves.toMatchObject({ exitCode: 1, path: 'cold' });
  });
});
