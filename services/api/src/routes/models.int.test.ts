import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { buildTestApp } from '../testing/test-app.ts';
import { createTestTables, insertCatalog, type TestTables } from '../testing/read-tables.ts';

let tables: TestTables;
let app: FastifyInstance;

beforeAll(async () => {
  tables = await createTestTables(inject('postgresUrl'));
  await insertCatalog(tables.db);
  app = buildTestApp({ db: tables.db });
});

afterAll(async () => {
  await app.close();
  await tables.close();
});

async function get<Data>(path: string): Promise<Data> {
  const response = await app.inject(`/user/ai/models${path}`);
  expect(response.json()).toMatchObject({ code: 200, message: 'success' });
  expect(Object.keys(response.json())).toEqual(['code', 'message', 'data']);
  return response.json<{ data: Data }>().data;
}

interface Model {
  modelName: string;
}

const soraInGroup = {
  id: 1,
  modelName: 'sora_image',
  displayName: 'Sora高质量图片生成',
  pointsCost: 11,
  providerType: 'openai',
  taskType: 'text_to_image',
  isEnabled: true,
};

const videos = ['video_1', 'video_2', 'video_3', 'video_4'];

test('the list is exactly as documented', async () => {
  const models = await get<Model[]>('?taskType=text_to_image&provider=openai&enabledOnly=true');
  expect(models.map(({ modelName }) => modelName)).toEqual(['sora_image', 'dall_e']);
  expect(models[0]).toStrictEqual({
    ...soraInGroup,
    description: 'Sora高质量图片生成',
    extendedConfig: {},
  });
});

describe('the list', () => {
  const enabled = ['sora_image', 'dall_e', 'gpt', ...videos, 'animate'];

  test.each([
    ['', enabled],
    ['?taskType=&provider=&enabledOnly=', enabled],
    ['?enabledOnly=false', [...enabled, 'speech', 'caption']],
    ['?taskType=llm', ['gpt']],
    ['?taskType=image', ['sora_image', 'dall_e']],
    ['?taskType=video', [...videos, 'animate']],
    ['?taskType=audio', []],
    ['?taskType=audio&enabledOnly=false', ['speech']],
    ['?taskType=text&enabledOnly=false', ['gpt', 'caption']],
    ['?taskType=other', []],
    ['?provider=runninghub', [...videos, 'animate']],
    ['?provider=unheard-of', []],
    ['?taskType=video&provider=openai', []],
    ['?colour=blue', enabled],
  ])('%s', async (query, names) => {
    expect((await get<Model[]>(query)).map(({ modelName }) => modelName)).toEqual(names);
  });

  test('shows the extended configuration as it is', async () => {
    expect(await get('?taskType=llm')).toMatchObject([{ extendedConfig: { max_tokens: 100 } }]);
  });
});

test('by type is exactly as documented', async () => {
  const groups = await get<{ models: unknown[] }[]>('/group-by-type?provider=&enabledOnly=true');
  expect(groups.map((group) => ({ ...group, models: group.models.length }))).toStrictEqual([
    { taskType: 'text_to_image', taskTypeName: '文生图', models: 2, count: 2 },
    { taskType: 'text_to_video', taskTypeName: '文生视频', models: 4, count: 4 },
    { taskType: 'image_to_video', taskTypeName: '图生视频', models: 1, count: 1 },
    { taskType: 'llm', taskTypeName: '大语言模型', models: 1, count: 1 },
  ]);
  expect(groups[0]?.models[0]).toStrictEqual(soraInGroup);
});

test('by type of one provider, with disabled models', async () => {
  expect(await get('/group-by-type?provider=runninghub&enabledOnly=false')).toMatchObject([
    { taskType: 'text_to_video', count: 4 },
    { taskType: 'image_to_video', count: 1 },
    {
      taskType: 'text_to_audio',
      taskTypeName: '文生音频',
      models: [{ modelName: 'speech', isEnabled: false }],
    },
  ]);
});

test('by provider is exactly as documented', async () => {
  const groups = await get<{ models: unknown[] }[]>(
    '/group-by-provider?taskType=&enabledOnly=true',
  );
  expect(groups.map((group) => ({ ...group, models: group.models.length }))).toStrictEqual([
    { providerType: 'openai', providerName: 'OpenAI', models: 3, count: 3 },
    { providerType: 'runninghub', providerName: 'RunningHub', models: 5, count: 5 },
  ]);
  expect(groups[0]?.models[0]).toStrictEqual(soraInGroup);
});

test('by provider of a coarse type, with disabled models', async () => {
  expect(await get('/group-by-provider?taskType=text&enabledOnly=false')).toMatchObject([
    { providerType: 'openai', count: 1 },
    { providerType: 'qwen', providerName: '通义千问', count: 1 },
  ]);
});

test('the numbers are exactly as documented', async () => {
  expect(await get('/stats')).toStrictEqual({
    totalModels: 10,
    enabledModels: 8,
    countByType: { text_to_image: 2, text_to_video: 4, image_to_video: 1, llm: 1 },
    countByProvider: { openai: 3, runninghub: 5 },
  });
});
