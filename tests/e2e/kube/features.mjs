// What programs do by @kubernetes/client-node: features.mjs KUBECONFIG NAMESPACE MODULES. A line for each feature.
import { createRequire } from 'node:module';
import { Writable, Readable } from 'node:stream';

const [kubeconfig, namespace, modules] = process.argv.slice(2);
const k8s = createRequire(`${modules}/x.js`)('@kubernetes/client-node');
const config = new k8s.KubeConfig();
config.loadFromFile(kubeconfig);
const core = config.makeApiClient(k8s.CoreV1Api);

function same(got, wanted) {
    if (JSON.stringify(got) !== JSON.stringify(wanted))
        throw new Error(`${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}

function collector() {
    const parts = [];
    const stream = new Writable({ write(part, _, done) { parts.push(part); done(); } });
    stream.text = () => Buffer.concat(parts).toString();
    return stream;
}

const name = 'node-client';
const features = {
    async list() {
        const pods = await core.listNamespacedPod({ namespace });
        same(pods.items.some((pod) => pod.metadata.name === 'web'), true);
    },
    async objects() {
        await core.createNamespacedConfigMap({ namespace, body: { metadata: { name }, data: { sky: 'blue' } } });
        const made = await core.readNamespacedConfigMap({ namespace, name });
        same(made.data, { sky: 'blue' });
        made.data.sky = 'grey';
        await core.replaceNamespacedConfigMap({ namespace, name, body: made });
        same((await core.readNamespacedConfigMap({ namespace, name })).data, { sky: 'grey' });
        await core.deleteNamespacedConfigMap({ namespace, name });
    },
    async watch() {
        const watch = new k8s.Watch(config);
        const wanted = `${name}-watched`;
        let request;
        const seen = new Promise((resolve, reject) => {
            setTimeout(() => reject(new Error('nothing came')), 20000).unref();
            watch.watch(`/api/v1/namespaces/${namespace}/configmaps`, {}, (type, object) => {
                if (object.metadata?.name === wanted) resolve(type);
            }, () => {}).then((made) => { request = made; }, reject);
        });
        await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: wanted } } });
        same(await seen, 'ADDED');
        request?.abort?.();
        await core.deleteNamespacedConfigMap({ namespace, name: wanted });
    },
    async logs() {
        same((await core.readNamespacedPodLog({ namespace, name: 'web' })).split('\n')[0], `${namespace}/web/main line 0`);
    },
    async refusal() {
        try {
            await core.listNode();
        } catch (fault) {
            same(fault.code, 403);
            const status = JSON.parse(fault.body);
            same([status.kind, status.reason], ['Status', 'Forbidden']);
            same(status.message.includes('nodes are not for agents'), true);
            return;
        }
        throw new Error('it was not refused');
    },
    async exec() {
        const out = collector(), errors = collector();
        const status = await new Promise((resolve, reject) => {
            setTimeout(() => reject(new Error('no status came')), 20000).unref();
            new k8s.Exec(config).exec(namespace, 'web', 'main', ['sh', '-c', 'echo out; echo err >&2; exit 7'], out, errors, null, false,
                resolve).catch(reject);
        });
        same([out.text(), errors.text(), status.status], ['out\n', 'err\n', 'Failure']);
        same(status.details.causes[0], { reason: 'ExitCode', message: '7' });
    },
    async stdin() {
        const out = collector();
        await new Promise((resolve, reject) => {
            setTimeout(() => reject(new Error('no status came')), 20000).unref();
            new k8s.Exec(config).exec(namespace, 'web', 'main', ['head', '-n', '1'], out, null, Readable.from(['hello\n']), false,
                resolve).catch(reject);
        });
        same(out.text(), 'hello\n');
    },
};

for (const [feature, run] of Object.entries(features)) {
    try {
        await run();
        console.log(`ok ${feature}`);
    } catch (fault) {
        console.log(`FAIL ${feature}: ${String(fault.body ?? fault.stack).replace(/\s+/g, ' ').slice(0, 500)}`);
    }
}
process.exit(0);
